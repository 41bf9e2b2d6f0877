def late():
    return "late-provider"


def later():
    return "later-provider"
