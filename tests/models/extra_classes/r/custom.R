load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  data.frame(note = paste("row", data$name), no = 1 - data$a / 10, yes = data$a / 10)
}
