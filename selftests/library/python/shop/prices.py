RATE = 5


def price(thing, tax=1):
    return tax
