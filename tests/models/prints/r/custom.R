noise <- function() {
  cat("noise\n")
  message("noise")
}

noise()

load_model <- function(code_dir) {
  noise()
  2
}

score <- function(data, model, ...) {
  noise()
  data.frame(Predictions = data$a + model * data$b)
}
