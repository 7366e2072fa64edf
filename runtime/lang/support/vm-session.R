# The kernel of R sessions: evaluates what the guest asks for, one after the
# other, in the global environment. The messages are described in the guest's
# fields.go.

local({
  most_value <- 64 * 1024
  most_artifacts <- 4 * 1024^2
  home <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1]))

  # A pipe opened by name is another descriptor of it: R knows no dup.
  requests <- file("/proc/self/fd/0", "rb", raw = TRUE)
  replies <- file("/proc/self/fd/1", "wb", raw = TRUE)

  # The lowest free number is the next descriptor's: that is how 0, 1 and 2 change.
  held <- list()
  redirect <- function(paths) {
    flush(stdout())
    for (i in 1:3) {
      if (length(held) < i) parallel:::closeFD(i - 1L) else close(held[[i]])
      held[[i]] <<- file(paths[i], if (i == 1) "rb" else "wb", raw = TRUE)
    }
  }

  read_field <- function() {
    field <- raw(0)
    repeat {
      byte <- readBin(requests, "raw", 1L)
      if (length(byte) == 0) return(NULL)
      if (byte == 0) break
      field <- c(field, byte)
    }
    text <- rawToChar(field)
    Encoding(text) <- "UTF-8"
    text
  }

  read_message <- function() {
    count <- read_field()
    if (is.null(count)) return(NULL)
    vapply(seq_len(as.integer(count)), function(i) read_field(), "")
  }

  write_message <- function(...) {
    fields <- enc2utf8(c(...))
    for (field in c(length(fields), fields)) {
      writeBin(c(charToRaw(as.character(field)), as.raw(0)), replies)
    }
    flush(replies)
  }

  # Plots are drawn into files, one for each page, unless the code opens a device
  # of its own.
  devices <- 0
  drawn <- integer()
  draw <- function(...) {
    devices <<- devices + 1
    type <- if (capabilities("cairo")) "cairo" else "Xlib"
    grDevices::png(file.path(home, sprintf("plot-%04d-%%04d.png", devices)), 1200, 900, res = 150, type = type)
    drawn <<- c(drawn, grDevices::dev.cur())
  }
  if (capabilities("png")) options(device = draw)

  base64 <- function(bytes) {
    digits <- c(LETTERS, letters, 0:9, "+", "/")
    short <- (3 - length(bytes) %% 3) %% 3
    n <- matrix(c(as.integer(bytes), rep(0L, short)), nrow = 3)
    n <- n[1, ] * 65536L + n[2, ] * 256L + n[3, ]
    text <- digits[rbind(n %/% 262144L, n %/% 4096L %% 64L, n %/% 64L %% 64L, n %% 64L) + 1L]
    if (short > 0) text[(length(text) - short + 1):length(text)] <- "="
    paste(text, collapse = "")
  }

  # Closes what was drawn on, and returns the plots as artifacts.
  figures <- function() {
    for (device in intersect(drawn, grDevices::dev.list())) grDevices::dev.off(device)
    drawn <<- integer()
    artifacts <- character()
    left <- most_artifacts
    files <- sort(list.files(home, "^plot-.*[.]png$", full.names = TRUE))
    for (i in seq_along(files)) {
      name <- sprintf("figure-%d.png", i)
      size <- file.size(files[i])
      if (size > left) {
        cat(sprintf("vm: %s is left out: artifacts are at most %d MiB together\n", name, most_artifacts %/% 1024^2), file = stderr())
      } else {
        left <- left - size
        artifacts <- c(artifacts, "image/png", name, base64(readBin(files[i], "raw", size)))
      }
    }
    unlink(files)
    artifacts
  }

  # Where in the code the calls stand, the innermost first.
  places <- function(calls, file) {
    found <- character()
    for (call in rev(calls)) {
      ref <- attr(call, "srcref")
      name <- if (is.null(ref)) NULL else attr(ref, "srcfile")$filename
      if (identical(name, file)) found <- c(found, sprintf("%s:%d", file, ref[1]))
    }
    utils::head(unique(found), 20)
  }

  # What R says of a condition. The kernel's own call is nobody's business.
  describe <- function(kind, condition) {
    call <- conditionCall(condition)
    from <- ""
    if (!is.null(call) && !identical(call, quote(eval(code[i], globalenv())))) {
      from <- paste0(" in ", deparse(call, nlines = 1L)[1])
    }
    paste0(kind, from, if (from == "") ": " else " : ", conditionMessage(condition), "\n")
  }

  value <- ""
  evaluate <- function(file) {
    where <- character()
    remember <- function(e) where <<- places(sys.calls(), file)
    warn <- function(w) {
      if (getOption("warn") %in% 0:1) {
        cat(describe("Warning", w), file = stderr())
        invokeRestart("muffleWarning")
      }
    }
    complain <- function(e) {
      cat(describe("Error", e), file = stderr())
      for (place in where) cat("  at ", place, "\n", sep = "", file = stderr())
      1L
    }
    run <- function() {
      code <- parse(file, keep.source = TRUE, encoding = "UTF-8")
      for (i in seq_along(code)) {
        last <- withVisible(eval(code[i], globalenv()))
        if (!last$visible) next
        if (i < length(code)) print(last$value)
        else value <<- paste(utils::capture.output(print(last$value)), collapse = "\n")
      }
      0L
    }
    tryCatch(allowInterrupts(withCallingHandlers(run(), error = remember, warning = warn)),
      error = complain,
      interrupt = function(e) {
        cat("interrupted\n", file = stderr())
        130L
      }
    )
  }

  # The user's library counts as when R starts, also when it is made only now.
  see_packages <- function() {
    folder <- strsplit(Sys.getenv("R_LIBS_USER"), .Platform$path.sep, fixed = TRUE)[[1]][1]
    if (!is.na(folder) && dir.exists(folder) && !(normalizePath(folder) %in% .libPaths())) {
      .libPaths(c(folder, .libPaths()))
    }
  }

  arguments <- character()
  attach(list(commandArgs = function(trailingOnly = FALSE) {
    if (trailingOnly) arguments else c(base::commandArgs(), "--args", arguments)
  }), name = "vm-session", warn.conflicts = FALSE)

  answer <- function(request) {
    redirect(file.path(request[1], c("stdin", "stdout", "stderr")))
    # An interrupt that came late is not this execution's.
    tryCatch(allowInterrupts(Sys.sleep(0)), interrupt = function(e) NULL)
    write_message("begun")
    count <- as.integer(request[4])
    arguments <<- request[seq_len(count) + 4]
    for (pair in request[-seq_len(count + 4)]) {
      do.call(Sys.setenv, structure(list(sub("^[^=]*=", "", pair)), names = sub("=.*", "", pair)))
    }
    value <<- ""
    code <- tryCatch({
      if (nzchar(request[3])) setwd(request[3])
      see_packages()
      evaluate(request[2])
    }, error = function(e) {
      cat(describe("Error", e), file = stderr())
      1L
    })
    artifacts <- figures()
    if (nchar(value) > most_value) value <<- paste0(substr(value, 1, most_value), "…")
    redirect(rep("/dev/null", 3))
    write_message("done", code, value, artifacts)
  }

  options(keep.source = TRUE, warn = 1)
  suspendInterrupts({
    redirect(rep("/dev/null", 3))
    write_message("ready")
    while (!is.null(request <- read_message())) answer(request)
  })
})
