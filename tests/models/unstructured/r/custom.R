load_model <- function(code_dir) "no model"

score_unstructured <- function(model, data, query, ...) {
  mode <- if (is.null(query$mode)) "upper" else query$mode
  switch(mode,
    upper = toupper(data),
    bytes = as.raw(c(0x00, 0x01, 0x02, 0xff)),
    none = NULL,
    typed = list("{\"ok\":true}", list(mimetype = "application/json", charset = "utf8")),
    length = as.character(length(data)),
    raise = stop("asked to fail")
  )
}
