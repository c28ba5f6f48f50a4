load_model <- function(code_dir) NULL

score <- function(data, model, ...) {
  data.frame(Predictions = data$a)
}
