def name():
    return "name-local-after-" + __provider__.name()
