def load_model(code_dir):
    return "a model"


def score_unstructured(model, data, mimetype, query, **kwargs):
    kind = "text" if isinstance(data, str) else "bytes"
    told = (mimetype, kwargs.get("charset", "absent"), kind, query.get("k", "absent"))
    return "|".join(told)
