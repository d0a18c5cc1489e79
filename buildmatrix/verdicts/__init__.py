"""What the numbers say: rows ready to be read, compared, held against each other, published."""
