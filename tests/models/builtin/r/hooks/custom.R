transform <- function(data, model) {
  data[[1]] <- data$spare
  data$spare <- NULL
  data
}

post_process <- function(predictions, model) {
  predictions[[1]] <- predictions[[1]] + 1000
  predictions
}
