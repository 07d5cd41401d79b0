"""One network on images: trained, restored, scored; the conformance kit."""
