"""Which mixture of real and synthetic text is best? Small students, trained to find out."""
