# A linear model in a file of weights: no artifact that polyhost knows, so hooks load and score.

load_model <- function(code_dir) {
  weights <- read.csv(file.path(code_dir, "weights.csv"))
  setNames(weights$weight, weights$name)
}

score <- function(data, model, ...) {
  features <- setdiff(names(model), "(Intercept)")
  total <- as.matrix(data[features]) %*% model[features]
  data.frame(Predictions = as.vector(total) + model[["(Intercept)"]])
}
