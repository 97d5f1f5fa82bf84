"""What Rasa prints where others raise."""

_words = []


def last_words():
    """What Rasa printed as errors in this request, once."""
    said = " ".join(" ".join(word.split()) for word in _words)
    _words.clear()
    return said


def remember():
    """From now on keep what Rasa prints as errors; it prints what is wrong and exits."""
    _words.clear()
    import rasa.shared.utils.cli as rasa_cli

    if rasa_cli.print_error.__module__ == __name__:
        return
    printing = rasa_cli.print_error

    def print_error(*args):
        _words.append(" ".join(str(arg) for arg in args))
        printing(*args)

    print_error.__module__ = __name__
    rasa_cli.print_error = print_error
