rows <- mtcars[1:3, c("wt", "hp")]

test_that("an lm predicts what predict says", {
  model <- lm(mpg ~ wt + hp, mtcars)
  opened <- open_model(model, "regression")
  expect_identical(describe_model(opened), list(
    framework = "stats", labels = character(), type = "regression", row_wise = TRUE, matrix = TRUE,
    refusal = character(), names = c("wt", "hp"), kinds = c("number", "number"),
    levels = list(character(), character()), ordered = c(FALSE, FALSE),
    unknown = c("error", "error")
  ))
  expect_identical(predict_rows(opened, rows), list("", list(as.double(predict(model, rows)))))
})

test_that("a binomial glm gives both classes under the response's names", {
  model <- glm(am ~ wt, binomial, mtcars)
  second <- as.double(predict(model, rows, type = "response"))
  expect_identical(
    predict_rows(open_model(model, "binary"), rows),
    list(c("0", "1"), list(`0` = 1 - second, `1` = second))
  )
})

test_that("caret's probabilities come under the levels", {
  skip_if_not_installed("caret")
  model <- caret::train(factor(paste0("c", cyl)) ~ wt, mtcars,
    method = "rpart", tuneGrid = data.frame(cp = 0),
    trControl = caret::trainControl(method = "none", classProbs = TRUE)
  )
  found <- predict_rows(open_model(model, "multiclass"), rows)
  expect_identical(found[[1]], c("c4", "c6", "c8"))
  expect_equal(as.data.frame(found[[2]]), predict(model, rows, type = "prob"), ignore_attr = TRUE)
})

test_that("columns are checked before the model sees them", {
  opened <- open_model(lm(mpg ~ wt + factor(cyl), mtcars), "regression")
  expect_error(predict_rows(opened, data.frame(wt = 1)), "missing in the data: 'cyl'",
    class = "polyhost_schema_mismatch"
  )
  expect_error(predict_rows(opened, data.frame(wt = "x", cyl = 4)), "holds text: 'x'",
    class = "polyhost_schema_mismatch"
  )
  species <- open_model(lm(Sepal.Length ~ Species, iris), "regression")
  expect_error(predict_rows(species, data.frame(Species = "rose")), "'rose'; it knows 'setosa'",
    class = "polyhost_schema_mismatch"
  )
})

test_that("rows that predict loses are an error which names the columns", {
  model <- structure(list(), class = "loses_rows")
  registerS3method("predict", "loses_rows", function(object, newdata) na.omit(newdata$a))
  expect_error(predict_rows(open_model(model, "regression"), data.frame(a = c(1, NA), b = 1:2)),
    "1 rows for 2: .* lost, in 'a'",
    class = "polyhost_invalid_output"
  )
})

test_that("formulas that look across rows are found", {
  row_wise <- function(formula) terms_shape(terms(lm(formula, mtcars)))$row_wise
  expect_true(row_wise(mpg ~ poly(wt, 2) + log(hp) * factor(cyl) + I(qsec^2)))
  expect_false(row_wise(mpg ~ I(wt - mean(wt))))
  expect_false(row_wise(mpg ~ cumsum(wt)))
})

test_that("what cannot be served says why", {
  expect_match(open_model("text", "regression")$facts$refusal, "no predict method")
  expect_match(open_model(lm(mpg ~ wt, mtcars), "binary")$facts$refusal, "no class probabilities")
  expect_match(open_model(lm(mpg ~ wt, mtcars), "geopoint")$facts$refusal, "geopoint")
})

test_that("packages that are missing are all named", {
  model <- structure(list(modelInfo = list(library = c("nosuch", "neither"))), class = "train")
  expect_error(open_model(model, "regression"), "nosuch, neither",
    class = "polyhost_runtime_unavailable"
  )
})

test_that("transform takes a hook of two or three arguments, a recipe, or a pair without target", {
  two <- list(transform = function(data, model) data["wt"])
  three <- list(transform = function(X, transformer, y) list(X["hp"], NULL))
  expect_identical(names(transform_rows(two, NULL, rows)), "wt")
  expect_identical(names(transform_rows(three, NULL, rows)), "hp")
  pair <- list(transform = function(X, transformer, y) list(X, y))
  expect_error(transform_rows(pair, NULL, rows, 1), class = "polyhost_invalid_output")
  expect_error(transform_rows(NULL, 1, rows), class = "polyhost_missing_hook")
})
