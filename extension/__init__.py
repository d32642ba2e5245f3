"""stepwell: cells become steps that survive."""
