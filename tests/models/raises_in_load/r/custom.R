load_model <- function(code_dir) {
  stop("load went wrong")
}

score <- function(data, model, ...) {
  data.frame(Predictions = data$a)
}
