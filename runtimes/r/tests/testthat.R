library(testthat)
library(polyhost)

test_check("polyhost")
