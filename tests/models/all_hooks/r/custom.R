offset <- 0

init <- function(code_dir) {
  offset <<- 1
}

load_model <- function(code_dir) 2

read_input_data <- function(bytes) {
  lines <- strsplit(rawToChar(bytes), "\n", fixed = TRUE)[[1]]
  read.csv(text = lines[!startsWith(lines, "#")])
}

transform <- function(data, model) {
  data$c <- 10 * data$a
  data
}

score <- function(data, model, ...) {
  data.frame(Predictions = data$c + model * data$b + offset)
}

post_process <- function(predictions, model) {
  predictions[[1]] <- predictions[[1]] + 1000
  predictions
}
