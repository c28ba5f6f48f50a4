load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  data.frame(x = rep(0.5, nrow(data)), y = data$a / 20, z = 0.5 - data$a / 20)
}
