def bow():
    return "bow-local"
