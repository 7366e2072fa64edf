package main

// programs are what the demo runs in a language.
type programs struct {
	language string
	live     string // prints three lines, with pauses
	host     string // prints the machine's name
	endless  string
	hog      string // takes memory without end, and writes to it
	two      string // prints 1 + 1
}

// known languages, in the order of preference.
var known = []programs{
	{
		language: "python",
		live:     "import time\nfor n in range(1, 4):\n    print('line', n, flush=True)\n    time.sleep(0.3)\n",
		host:     "import socket\nprint('this is', socket.gethostname())\n",
		endless:  "while True:\n    pass\n",
		hog:      "blocks = []\nwhile True:\n    blocks.append(b'x' * (16 << 20))\n",
		two:      "print(1 + 1)\n",
	},
	{
		language: "javascript",
		live:     "let n = 0;\nconst timer = setInterval(() => {\n  console.log('line', ++n);\n  if (n === 3) clearInterval(timer);\n}, 300);\n",
		host:     "console.log('this is', require('os').hostname());\n",
		endless:  "for (;;) {}\n",
		hog:      "const blocks = [];\nfor (;;) blocks.push(Buffer.alloc(16 << 20, 1));\n",
		two:      "console.log(1 + 1);\n",
	},
	{
		language: "perl",
		live:     "$| = 1;\nfor my $n (1 .. 3) {\n  print \"line $n\\n\";\n  select(undef, undef, undef, 0.3);\n}\n",
		host:     "use Sys::Hostname;\nprint 'this is ', hostname(), \"\\n\";\n",
		endless:  "1 while 1;\n",
		hog:      "my @blocks;\npush @blocks, 'x' x (16 << 20) . @blocks while 1;\n",
		two:      "print 1 + 1, \"\\n\";\n",
	},
	{
		language: "bash",
		live:     "for n in 1 2 3; do\n  echo line $n\n  sleep 0.3\ndone\n",
		host:     "echo this is $HOSTNAME\n",
		endless:  "while :; do :; done\n",
		hog:      "block=x\nwhile :; do block=$block$block; done\n",
		two:      "echo $((1 + 1))\n",
	},
}
