"""The surfaces of other libraries over our client, for code that was written for them."""
