# Makes models of R's classes as people make them, with rows to predict and R's own predictions.
#
#   Rscript r_models.R OUT_DIR
#
# writes OUT_DIR/<case>/model.rds and OUT_DIR/cases.json: target, labels, the columns of the rows,
# and for each part of the rows what predict() answers to correctly typed data.

suppressPackageStartupMessages({
  library(caret)
  library(recipes)
})
out_dir <- commandArgs(trailingOnly = TRUE)[[1L]]
set.seed(20240229)

n <- 80L
draw <- function(values) sample(rep_len(values, n))
d <- data.frame(
  x = round(rnorm(n), 3), k = factor(draw(c(1, 2, 10))), f = factor(draw(c("a", "d", "e"))),
  mf = factor(draw(c("F", "M"))), tf = factor(draw(c("T", "F"))), z = factor(draw(c("01", "02"))),
  na = factor(draw(c("DE", "NA", "FR"))), s = draw(c("u", "v")), d1 = draw(c("1", "2")),
  o = factor(draw(c("lo", "mid", "hi")), c("lo", "mid", "hi"), ordered = TRUE),
  flag = draw(c(TRUE, FALSE)), day = as.Date("2020-01-01") + draw(1:60),
  moment = as.POSIXct("2020-01-01 10:20:30", tz = "UTC") + draw(3600 * 1:60),
  stringsAsFactors = FALSE
)
d$y <- with(d, x + as.integer(k) + 2 * flag + as.integer(f)^2 + (mf == "M") + (tf == "T") +
  (z == "02") + (s == "v") * 3 + (d1 == "2") + as.integer(o) * 1.5 + as.numeric(day) / 20 +
  (as.numeric(moment) - 1577880000) / 1e5 + (na == "NA") * 2 + rnorm(n))
d$y <- round(d$y, 3)
d$y3 <- 3 * as.numeric(as.character(d$k))
d$k3 <- d$y3 / 3
d$two <- factor(ifelse(d$y > median(d$y), "yes", "no"))
d$three <- cut(d$y, quantile(d$y, 0:3 / 3), c("p", "q", "r"), include.lowest = TRUE)
d$bit <- as.integer(d$two == "yes")

everything <- c("x", "k", "f", "mf", "tf", "z", "na", "s", "d1", "o", "flag", "day", "moment")
factors <- setdiff(everything, c("s", "d1", "day", "moment"))
from <- function(response, names) reformulate(names, response)
quiet <- function(expression) {
  utils::capture.output(value <- suppressWarnings(suppressMessages(expression)))
  value
}
fit <- function(...) {
  quiet(train(..., trControl = trainControl(method = "none", classProbs = TRUE)))
}
plain <- function(...) quiet(train(..., trControl = trainControl(method = "none")))
frame_of <- function(...) data.frame(..., check.names = FALSE)
two_of <- function(second) cbind(1 - second, second)
# One row is predicted with another where the library drops its dimensions.
classes_of <- function(scores, rows, k) matrix(scores, nrow(rows), k, byrow = is.null(dim(scores)))

value <- function(model, rows) predict(model, rows)
probabilities <- function(type) {
  function(model, rows) predict(model, rows, type = type)
}
response <- function(model, rows) two_of(as.vector(predict(model, rows, type = "response")))
passing <- function(model, rows) predict(model, rows, na.action = na.pass)
passing_prob <- function(model, rows) predict(model, rows, type = "prob", na.action = na.pass)
forest <- function(model, rows) predict(model, data = rows)$predictions

case <- function(model, columns, native, target = "regression", labels = NULL) {
  list(model = model, columns = columns, native = native, target = target, labels = labels)
}
binary <- function(model, columns, native) case(model, columns, native, "binary", c("no", "yes"))
multiclass <- function(model, columns, native) {
  case(model, columns, native, "multiclass", c("p", "q", "r"))
}

rpart <- rpart::rpart
grid <- data.frame

cases <- list(
  lm = case(lm(from("y", everything), d), everything, value),
  lm_of_number_levels = case(lm(y3 ~ k, d), "k", value),
  lm_of_number_text = case(lm(y ~ d1, d), "d1", value),
  lm_of_factor_call = case(lm(y3 ~ factor(k3) + log(x + 10), d),
    c("k3", "x"), value
  ),
  glm = binary(quiet(glm(two ~ x + k + flag + day, binomial, d)), c("x", "k", "flag", "day"),
    response
  ),
  glm_poisson = case(glm(round(abs(y)) ~ x + tf + s, poisson, d), c("x", "tf", "s"), value),
  gam = case(mgcv::gam(y ~ s(x) + k + flag + day + o, data = d), c("x", "k", "flag", "day", "o"),
    value
  ),
  gam_binomial = binary(mgcv::gam(two ~ s(x) + mf, binomial, d), c("x", "mf"), response),
  rpart = case(rpart(from("y", everything), d), everything, value),
  rpart_class = multiclass(rpart(three ~ x + k + s + flag + o, d), c("x", "k", "s", "flag", "o"),
    value
  ),
  forest = case(
    randomForest::randomForest(y ~ x + k + f + mf + flag + day + moment, d, ntree = 20),
    c("x", "k", "f", "mf", "flag", "day", "moment"), value
  ),
  forest_xy = multiclass(
    randomForest::randomForest(d[c(factors)], d$three, ntree = 20), factors, probabilities("prob")
  ),
  ranger = case(
    ranger::ranger(y ~ x + k + tf + s + flag, d, num.trees = 20, respect.unordered.factors = "order"),
    c("x", "k", "tf", "s", "flag"), forest
  ),
  ranger_numbers = case(ranger::ranger(y ~ x + flag, d, num.trees = 20), c("x", "flag"), forest),
  ranger_probability = multiclass(
    ranger::ranger(three ~ x + f + flag, d,
      num.trees = 20, probability = TRUE, respect.unordered.factors = TRUE
    ),
    c("x", "f", "flag"), forest
  ),
  svm = multiclass(
    e1071::svm(three ~ x + k + flag, d, probability = TRUE), c("x", "k", "flag"),
    function(model, rows) {
      found <- predict(model, rows, probability = TRUE)
      attr(found, "probabilities")[, c("p", "q", "r"), drop = FALSE]
    }
  ),
  svm_regression = case(e1071::svm(y ~ x + s + day, transform(d, s = factor(s))),
    c("x", "s", "day"),
    function(model, rows) predict(model, transform(rows, s = factor(s, c("u", "v"))))
  ),
  naive_bayes = multiclass(
    e1071::naiveBayes(three ~ x + k + flag + s + o, transform(d, s = factor(s))),
    c("x", "k", "flag", "s", "o"),
    function(model, rows) predict(model, transform(rows, s = factor(s, c("u", "v"))), type = "raw")
  ),
  lda = multiclass(MASS::lda(three ~ x + k + flag, d), c("x", "k", "flag"),
    function(model, rows) predict(model, rows)$posterior
  ),
  lda_xy = multiclass(MASS::lda(d[c("x", "y")], d$three), c("x", "y"),
    function(model, rows) predict(model, rows)$posterior
  ),
  nnet = case(nnet::nnet(y ~ x + k + s, d, size = 2, linout = TRUE, trace = FALSE),
    c("x", "k", "s"), value
  ),
  nnet_two = binary(nnet::nnet(two ~ x + k, d, size = 2, trace = FALSE), c("x", "k"),
    function(model, rows) two_of(as.vector(predict(model, rows)))
  ),
  nnet_three = multiclass(nnet::nnet(three ~ x + k, d, size = 2, trace = FALSE), c("x", "k"), value),
  multinom = multiclass(nnet::multinom(three ~ x + k + flag, d, trace = FALSE),
    c("x", "k", "flag"),
    function(model, rows) classes_of(predict(model, rows, type = "probs"), rows, 3)
  ),
  multinom_two = binary(nnet::multinom(two ~ x + tf, d, trace = FALSE), c("x", "tf"),
    function(model, rows) two_of(predict(model, rows, type = "probs"))
  ),
  polr = multiclass(MASS::polr(three ~ x + f + flag, d), c("x", "f", "flag"),
    function(model, rows) classes_of(predict(model, rows, type = "probs"), rows, 3)
  ),
  gbm = case(
    gbm::gbm(y ~ x + k + tf + o, "gaussian", d, n.trees = 20), c("x", "k", "tf", "o"),
    function(model, rows) predict(model, rows, n.trees = 20)
  ),
  gbm_bernoulli = case(
    gbm::gbm(bit ~ x + k + tf, "bernoulli", d, n.trees = 20), c("x", "k", "tf"),
    function(model, rows) two_of(predict(model, rows, n.trees = 20, type = "response")),
    "binary", c("0", "1")
  ),
  glmnet = case(glmnet::glmnet(as.matrix(d[c("x", "y")]), d$y3, lambda = 0.1), c("x", "y"),
    function(model, rows) predict(model, as.matrix(rows))
  ),
  caret_lm = case(plain(from("y", everything), d, method = "lm"), everything, passing),
  caret_glmnet = case(
    plain(y3 ~ k + x, d, method = "glmnet", tuneGrid = grid(alpha = 1, lambda = 0)), c("k", "x"),
    passing
  ),
  caret_rf = case(
    plain(from("y", everything), d, method = "rf", ntree = 20, tuneGrid = grid(mtry = 3)),
    everything, passing
  ),
  caret_rf_xy = multiclass(
    fit(d[factors], d$three, method = "rf", ntree = 20, tuneGrid = grid(mtry = 2)), factors,
    passing_prob
  ),
  caret_ranger = multiclass(
    fit(d[factors], d$three,
      method = "ranger", num.trees = 20,
      tuneGrid = grid(mtry = 2, splitrule = "gini", min.node.size = 3)
    ), factors, passing_prob
  ),
  caret_rpart = binary(
    fit(two ~ x + k + s + flag, d, method = "rpart", tuneGrid = grid(cp = 0.01)),
    c("x", "k", "s", "flag"), passing_prob
  ),
  caret_gbm = binary(
    fit(two ~ x + k + tf, d,
      method = "gbm", verbose = FALSE,
      tuneGrid = grid(n.trees = 20, interaction.depth = 1, shrinkage = 0.1, n.minobsinnode = 5)
    ), c("x", "k", "tf"), passing_prob
  ),
  caret_svm = multiclass(
    fit(three ~ x + k + flag, d, method = "svmRadial", tuneGrid = grid(C = 1, sigma = 0.5)),
    c("x", "k", "flag"), passing_prob
  ),
  caret_multinom = multiclass(
    fit(three ~ x + f, d, method = "multinom", trace = FALSE, tuneGrid = grid(decay = 0)),
    c("x", "f"), passing_prob
  ),
  caret_polr = multiclass(
    fit(three ~ x + f, d, method = "polr", tuneGrid = grid(method = "logistic")), c("x", "f"),
    passing_prob
  ),
  caret_recipe = multiclass(
    fit(
      step_dummy(step_novel(recipe(three ~ x + f + s + flag, d), f, s), f, s), d,
      method = "rpart", tuneGrid = grid(cp = 0.01)
    ), c("x", "f", "s", "flag"), passing_prob
  )
)

#' What R answers for each row: without those with missing values where it does not take them, and
#' beside itself a single row that it does not take
answer <- function(case, rows) {
  try_all <- function(rows) {
    found <- tryCatch(as.matrix(as.data.frame(quiet(case$native(case$model, rows)))),
      error = function(condition) NULL
    )
    if (!is.null(found) && nrow(found) == nrow(rows)) {
      unname(found)
    } else if (nrow(rows) == 1L) {
      try_all(rows[c(1L, 1L), , drop = FALSE])[1L, , drop = FALSE]
    }
  }
  found <- try_all(rows)
  if (is.null(found)) {
    found <- matrix(NA_real_, nrow(rows), max(1L, length(case$labels)))
    whole <- complete.cases(rows)
    if (any(whole)) found[whole, ] <- try_all(rows[whole, , drop = FALSE])
  }
  apply(found, 1L, function(row) as.list(ifelse(is.na(row), "NaN", sprintf("%.17g", row))),
    simplify = FALSE
  )
}

kind_of <- function(column) {
  if (is.factor(column)) "category" else if (is.logical(column)) "boolean" else
    if (inherits(column, "Date")) "date" else if (inherits(column, "POSIXct")) "time" else
      if (is.character(column)) "text" else "number"
}
cells_of <- function(column) {
  cells <- if (inherits(column, "POSIXct")) format(column, "%Y-%m-%dT%H:%M:%S") else
    if (is.numeric(column) || is.logical(column)) column else as.character(column)
  lapply(cells, function(cell) if (is.na(cell)) NULL else cell)
}
hole <- function(rows, name, at = seq_len(nrow(rows))) {
  rows[at, name] <- NA
  rows
}

written <- lapply(names(cases), function(name) {
  case <- cases[[name]]
  dir.create(file.path(out_dir, name))
  saveRDS(case$model, file.path(out_dir, name, "model.rds"))
  rows <- d[c(2, 3, 5, 8, 13, 21), case$columns, drop = FALSE]
  row.names(rows) <- NULL
  last <- case$columns[[length(case$columns)]]
  pool <- d[sample(n, 24), case$columns, drop = FALSE]
  row.names(pool) <- NULL
  for (column in case$columns) pool <- hole(pool, column, sample(24, 3))
  parts <- c(
    list(many = rows, one = rows[1, , drop = FALSE], backwards = rows[6:1, , drop = FALSE],
      `some missing` = hole(rows, last, c(2, 5))
    ),
    stats::setNames(lapply(case$columns, hole, rows = rows), paste("no", case$columns)),
    list(pool = pool)
  )
  list(
    name = name, target = case$target, labels = as.list(case$labels),
    parts = lapply(names(parts), function(part) {
      list(
        name = part, answers = answer(case, parts[[part]]),
        columns = lapply(case$columns, function(column) {
          list(
            name = column, kind = kind_of(d[[column]]), cells = cells_of(parts[[part]][[column]])
          )
        })
      )
    })
  )
})
jsonlite::write_json(written, file.path(out_dir, "cases.json"), auto_unbox = TRUE, digits = NA,
  null = "null"
)
