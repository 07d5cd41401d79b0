"""PSNR and SSIM by named protocol, other metrics, and the losses."""
