load_model <- function(code_dir) "no model"

score_unstructured <- function(model, data, query, ...) {
  told <- list(...)
  or_absent <- function(value) if (is.null(value)) "absent" else value
  kind <- if (is.raw(data)) "bytes" else "text"
  paste(told$mimetype, or_absent(told$charset), kind, or_absent(query$k), sep = "|")
}
