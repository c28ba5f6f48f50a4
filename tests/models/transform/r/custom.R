load_model <- function(code_dir) "no model"

transform <- function(X, transformer, y) {
  data.frame(a2 = 2 * X$a, b = X$b)
}
