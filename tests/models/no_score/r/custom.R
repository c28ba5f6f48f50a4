load_model <- function(code_dir) "no model"
