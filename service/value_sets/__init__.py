"""A site's own products: which drugs of its RxNorm or dm+d release are drugs of the value sets."""
