# The kernel of Ruby sessions: evaluates what the guest asks for, one after the
# other, at the top level. The messages are described in the guest's fields.go.

# VMSession keeps the kernel's own names out of the code's way.
module VMSession
  MOST_VALUE = 64 << 10

  @requests = $stdin.dup
  @replies = $stdout.dup
  [@requests, @replies].each { |io| io.binmode.close_on_exec = true }
  @replies.sync = true
  @running = false

  def self.read
    count = @requests.gets("\0") or return
    Array.new(count.to_i) { @requests.gets("\0").chomp("\0").force_encoding(Encoding::UTF_8) }
  end

  def self.write(*fields)
    @replies.write([fields.size.to_s, *fields].map { |f| f.b.delete("\0") + "\0" }.join)
  end

  def self.enter(folder)
    $stdin.reopen(File.join(folder, "stdin"), "r")
    $stdout.reopen(File.join(folder, "stdout"), "w")
    $stderr.reopen(File.join(folder, "stderr"), "w")
    $stdout.sync = $stderr.sync = true
  end

  def self.leave
    [[$stdin, "r"], [$stdout, "w"], [$stderr, "w"]].each { |io, mode| io.reopen(File::NULL, mode) }
  end

  def self.serve
    trap("INT") { raise Interrupt, "" if @running }
    leave
    write("ready")
    while (request = read)
      answer(*request)
    end
  end

  def self.answer(folder, file, directory, count, *rest)
    enter(folder)
    code, value =
      begin
        @running = true # from begun on an interrupt may come
        write("begun")
        evaluate(file, directory, rest.shift(count.to_i), rest)
      rescue Interrupt => e # came before the code, or while its own was being shown
        @running = false
        show(e)
        [130, ""]
      end
    @running = false
    trap("INT") { raise Interrupt, "" if @running }
    leave
    write("done", code.to_s, value)
  end

  def self.evaluate(file, directory, args, env)
    env.each { |pair| ENV.store(*pair.split("=", 2)) }
    Dir.chdir(directory) unless directory.empty?
    ARGV.replace(args)
    value = eval(File.read(file, encoding: Encoding::UTF_8), TOPLEVEL_BINDING, file, 1)
    text = value.nil? ? "" : value.inspect
    text = "#{text[0, MOST_VALUE]}…" if text.size > MOST_VALUE
    [0, text]
  rescue SystemExit => e
    [e.status & 255, ""]
  rescue Interrupt => e
    show(e)
    [130, ""]
  rescue Exception => e
    show(e)
    [1, ""]
  ensure
    @running = false
  end

  # Prints the error as Ruby does, without this file's own lines.
  def self.show(error)
    own = error.backtrace&.index { |line| line.start_with?(__FILE__) }
    error.set_backtrace(error.backtrace[0...own]) if own
    $stderr.write(error.full_message(highlight: false, order: :top))
  end
end

VMSession.serve
