#' Read an `.rds` artifact, with the packages that its model needs
#'
#' @param file path of the artifact.
#' @export
read_model <- function(file) {
  header <- tryCatch(infoRDS(file), error = function(condition) NULL)
  if (!is.null(header) && !header$version %in% 2:3) {
    abort(
      "load_error", "cannot read ", basename(file), ": it has serialization format ",
      header$version, ", written by R ", header$writer_version, "; expected format 2 or 3 for R ",
      getRversion(), ". Save it again with saveRDS(model, file, version = 3)."
    )
  }
  model <- tryCatch(readRDS(file), error = function(condition) {
    abort(
      "load_error", "cannot read ", basename(file), " with readRDS: ", conditionMessage(condition),
      ". Expected what saveRDS(model, file) writes."
    )
  })
  require_packages(model_packages(model), basename(file))
  model
}

#' Packages without which `predict` does not know a model
#' @export
model_packages <- function(model) {
  if (inherits(model, "train")) {
    recipe <- if (inherits(model, "train.recipe")) "recipes"
    return(c("caret", model$modelInfo$library, recipe))
  }
  unname(unlist(class_packages[intersect(class(model), names(class_packages))]))
}

class_packages <- list(
  C5.0 = "C50",
  cubist = "Cubist",
  cv.glmnet = "glmnet",
  earth = "earth",
  gam = "mgcv",
  gbm = "gbm",
  glmnet = "glmnet",
  ksvm = "kernlab",
  lda = "MASS",
  lmerMod = "lme4",
  model_fit = "parsnip",
  multinom = "nnet",
  naiveBayes = "e1071",
  nnet = "nnet",
  polr = "MASS",
  qda = "MASS",
  randomForest = "randomForest",
  ranger = "ranger",
  recipe = "recipes",
  rpart = "rpart",
  svm = "e1071",
  workflow = "workflows",
  xgb.Booster = "xgboost"
)
