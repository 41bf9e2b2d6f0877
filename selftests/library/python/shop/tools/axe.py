def axe():
    return "axe-provider"
