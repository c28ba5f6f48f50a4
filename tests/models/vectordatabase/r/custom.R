load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  data.frame(relevant = paste("near", data$name))
}
