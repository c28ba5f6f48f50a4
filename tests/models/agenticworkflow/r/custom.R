load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  data.frame(answer = paste("agent of", data$name))
}
