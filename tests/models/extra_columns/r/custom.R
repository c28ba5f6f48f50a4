load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  data.frame(Predictions = data$a, note = paste("row", data$name))
}
