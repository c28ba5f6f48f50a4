def load_model(code_dir):
    return "a model"


def score_unstructured(model, data, query, **kwargs):
    mode = query.get("mode", "upper")
    if mode == "upper":
        return data.upper()
    if mode == "bytes":
        return b"\x00\x01\x02\xff"
    if mode == "none":
        return None
    if mode == "typed":
        return '{"ok":true}', {"mimetype": "application/json", "charset": "utf8"}
    if mode == "length":
        return str(len(data))
    if mode == "raise":
        raise ValueError("asked to fail")
    raise KeyError(mode)
