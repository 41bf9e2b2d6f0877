def saw():
    return "saw-provider"
