"""A function of AWS Lambda behind a URL, which shortens links for signed-in users."""
