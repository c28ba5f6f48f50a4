load_model <- function(code_dir) 2

score <- function(data, model, ...) {
  while (data$a[[1]] == 666) NULL
  data.frame(Predictions = data$a + model * data$b)
}
