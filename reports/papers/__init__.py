"""Figures for papers: crops of chosen images, charts of costs and trainings, at the widths of a template."""
