def axe():
    return "axe-local"
