load_model <- function(code_dir) 2

score <- function(data, model, ... {
  data.frame(Predictions = data$a)
}
