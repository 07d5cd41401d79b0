"""PSNR and SSIM by named protocol, and the losses."""
