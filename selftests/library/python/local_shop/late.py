from shop import prices


def late():
    return f"late-local-{prices.RATE}"
