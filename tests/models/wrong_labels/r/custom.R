load_model <- function(code_dir) "no model"

score <- function(data, model, ...) {
  half <- rep(0.5, nrow(data))
  data.frame(maybe = half, perhaps = half)
}
