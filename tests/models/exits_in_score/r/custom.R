load_model <- function(code_dir) 2

score <- function(data, model, ...) {
  # A plain quit() is an error of the request; base::quit() really ends the process.
  if (data$a[[1]] == 666) base::quit(save = "no", status = 3)
  data.frame(Predictions = data$a + model * data$b)
}
