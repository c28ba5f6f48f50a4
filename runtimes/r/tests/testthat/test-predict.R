# A model with one column whose class has this predict method, ready to predict.
opened_with <- function(class, method, labels = NULL) {
  registerS3method("predict", class, method)
  shape <- list(columns = number_columns("a"), row_wise = TRUE)
  known <- facts(class, shape, labels = labels)
  list(model = structure(list(), class = class), classify = length(labels) > 0L, facts = known)
}

test_that("a row that predict cannot take for a missing value leaves the others their answers", {
  opened <- opened_with("raises_at_na", function(object, newdata) {
    if (anyNA(newdata$a)) stop("missing values in newdata")
    newdata$a * 2
  })
  data <- data.frame(a = c(1, NA, 3))
  expect_warning(found <- predict_rows(opened, data), "row\\(s\\) 2 is missing, for 'a'")
  expect_identical(found[[2]], list(c(2, NA, 6)))
  expect_warning(found <- predict_rows(opened, data[2, , drop = FALSE]))
  expect_identical(found[[2]], list(NA_real_))
})

test_that("rows that predict leaves out are missing in their place", {
  opened <- opened_with("omits_na", function(object, newdata) newdata$a[!is.na(newdata$a)])
  expect_warning(found <- predict_rows(opened, data.frame(a = c(NA, 2))))
  expect_identical(found[[2]], list(c(NA, 2)))
})

test_that("a single row that comes back as a vector of classes is that row", {
  opened <- opened_with("drops_one_row", function(object, newdata, type) {
    drop(cbind(u = newdata$a, v = 1 - newdata$a))
  }, labels = c("u", "v"))
  found <- predict_rows(opened, data.frame(a = 0.25))
  expect_identical(found, list(c("u", "v"), list(u = 0.25, v = 0.75)))
})

test_that("an error that has nothing to do with missing values is R's own", {
  opened <- opened_with("always_fails", function(object, newdata) stop("no luck"))
  expect_error(predict_rows(opened, data.frame(a = 1:2)), "no luck")
})

test_that("no rows give no rows for every class of models", {
  none <- data.frame(wt = double(), hp = double())
  expect_identical(
    predict_rows(open_model(lm(mpg ~ wt + hp, mtcars), "regression"), none),
    list("", list(double()))
  )
  classifier <- open_model(glm(am ~ wt, binomial, mtcars), "binary")
  expect_identical(
    predict_rows(classifier, none), list(c("0", "1"), list(`0` = double(), `1` = double()))
  )
})

test_that("a level that only a call in the formula makes is the caller's", {
  opened <- open_model(lm(mpg ~ cyl + factor(cyl), mtcars), "regression")
  expect_error(suppressWarnings(predict_rows(opened, data.frame(cyl = 5))), "new level",
    class = "polyhost_schema_mismatch"
  )
})
