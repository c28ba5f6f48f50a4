load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  data.frame(completion = paste("hello", data$name))
}
