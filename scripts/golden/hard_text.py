"""Text that is hard to clean or to cut into tokens. Written here, or made here from character ranges."""

import html
import itertools
import random

import corpus

WRITTEN = [
    "",
    " ",
    "   \t \n ",
    "a",
    "A red fox runs across a frozen lake.",
    "  leading and trailing spaces   ",
    "two  spaces,   three spaces,    four",
    "tabs\tand\t\tmore tabs",
    "no\u00a0break\u00a0space and\u202fnarrow one, \u2003em space, \u3000ideographic space",
    "line one\nline two\r\nline three\rline four\u2028line five\u2029line six\u0085line seven",
    "vertical\vtab and form\ffeed",
    "zero\u200bwidth space, zero\u200cwidth non-joiner, word\u2060joiner, soft\u00adhyphen",
    "\ufeffbyte order mark first",
    "byte order mark \ufeff inside",
    "“Curly” ‘quotes’ and it’s ‚low‛ „German“ «guillemets» ‹single›",
    "l’été à l'aube — d’où vient-il ?",
    "ellipsis… en – dash, em — dash, minus −, hyphen‐non‑breaking",
    "ligatures: ﬁre ﬂoor eﬀect oﬃce baﬄe ﬅop ﬆone ĳssel ŀl ǆ",
    "ＦＵＬＬＷＩＤＴＨ ｔｅｘｔ １２３！？（ｏｋ）～",
    "ﾊﾝｶｸ ｶﾀｶﾅ ﾃﾞｽ ﾊﾟﾝ ｡｢｣",
    "café cafe\u0301 — composed and combined",
    "a\u0308\u0323 a\u0323\u0308 order of marks; q\u0307\u0323",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033dA\u0334\u0319L\u0328\u035dG\u0311\u0357\u030eO\u0345",
    "Ångström \u212b \u2126 \u212a (singletons)",
    "① ② ③ ⑳ Ⅷ ⅷ ½ ¼ ⅓ x² y³ H₂O ™ ℃ ㎏ ㏒ ㍿",
    "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇯🇵 ❤️ ☕︎ 1️⃣ #️⃣",
    "🦊🦊🦊 running 🏃‍♀️ fast 💨",
    "👨\u200d🚀 on the 🌕, cinematic 🎬",
    "只有中文的提示词，没有空格。",
    "一只红色的狐狸 runs through the snow 雪地 at dawn。",
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的",
    "黄色いレインコートを着た女の子が夜の街で踊っている。",
    "か\u3099 は\u309a (combining voiced marks) がぱ",
    "빨간 여우가 눈 덮인 숲을 천천히 걷는다",
    "\u1112\u1161\u11ab\u1100\u1173\u11af (conjoining jamo) 한글",
    "ثعلب أحمر يمشي ببطء في الغابة",
    "שָׁלוֹם עולם \u202bRTL mark\u202c and \u200eLTR\u200f",
    "ﷺ ﷽ ﻻ ﺕ Arabic presentation forms",
    "एक लाल लोमड़ी क्षत्रिय \u0958 \u095b",
    "ไฟแดง ไทยแลนด์ ກຳລັງ",
    "தமிழ் கொ བོད་ཡིག \u0f73",
    "Рыжая лиса; Ёлка, йод, е\u0308 и\u0306",
    "Ελληνικά \u03ac \u1f71 \u0390 ς",
    "Türkçe İstanbul ıI iİ şğ",
    "Tiếng Việt: Nguyễn Đình, phở bò, tre\u0302\u0309",
    "ß ẞ ſ ŉ ǰ ΐ ΰ",
    "𝕱𝖗𝖆𝖐𝖙𝖚𝖗 𝒮𝒸𝓇𝒾𝓅𝓉 𝟙𝟚𝟛 mathematical",
    "𠮷野家 𩸽 CJK extension B, 丽 \U0002f800 compatibility",
    "豈 更 \uf900 \uf9ff CJK compatibility",
    "Private use \ue000 \uf8ff \U000f0000 end",
    "Non-characters \ufffe \uffff \ufdd0 and replacement \ufffd here",
    "Control \x01\x02\x07\x08\x0e\x1b\x1f\x7f characters",
    "C1 controls \x80\x85\x91\x92\x93\x94\x9f end",
    "\x1b[31mred terminal\x1b[0m text \x1b[1;32mgreen",
    "Interlinear \ufff9a\ufffab\ufffb, \u206a\u206f deprecated",
    "object \ufffc, line \u2581 lower block, ▁metaspace▁ inside ▁▁",
    "</s>",
    "before </s> after",
    "glued</s>together</s></s>",
    "<pad><pad> text <s> begin </s>",
    "an <unk> token and <extra_id_0> and <extra_id_2> and <extra_id_99>",
    "<extra_id_0>",
    "< / s > is not </ s> nor <S>",
    "byte piece names: <0x41> <0xE2> <0x0A><0x20>",
    "HTML: &amp; &lt;b&gt; &quot;x&quot; &#39; &nbsp;end",
    "twice: &amp;amp; &amp;lt; &amp;#39; &amp;quot; three: &amp;amp;amp;",
    "&eacute;t&eacute; &EACUTE; &Eacute; &copy; &hellip; &rsquo; &mdash;",
    "no semicolon: &amp &lt &copy 2026 &notit; &notin; &nosuch;",
    "numeric: &#8217; &#x2019; &#146; &#x92; &#0; &#xD800; &#1114112; &#x1F98A; &#38;amp;",
    "<b>real tags</b> keep &amp; and &quot;?",
    "a < b && b > c &lt; d",
    "&lt;/s&gt; becomes a special token",
    "&amp;lt;/s&amp;gt; too, at the second time",
    "schÃ¶n, Ã©tÃ©, naÃ¯ve",
    "âœ” No problems",
    "l’humanitÃ©",
    "â€œquotedâ€\x9d and itâ€™s â€” mojibake",
    "ð\x9f¦\x8a fox emoji as latin-1",
    "Ð Ñ‹Ð¶Ð°Ñ Ð»Ð¸ÑÐ°",
    "èµ¤ã\x81„ç‹\x90",
    "Ã la carte, voilÃ  le problÃ¨me",
    "This is â€˜finÃ©â€™ but this is fine: é",
    "doubly: ÃƒÂ©tÃƒÂ©",
    "Ôªø byte order mark in MacRoman",
    "¯\\_(ツ)_/¯ \\u00e9 \\ud83d\\ude00 \\x41 \\n backslashes",
    "{\"prompt\": \"a fox\", \"seed\": 42, \"list\": [1, 2.5, null]}",
    "for (int i = 0; i < n; ++i) { sum += a[i]; } // code",
    "SELECT * FROM videos WHERE id='x'; DROP TABLE videos;--",
    "https://example.org/watch?v=abc_DEF-123&t=42s#top (url)",
    "someone@example.org, @handle, #hashtag, $100, 50%, 3.14, 1,234,567.89, 2026-11-21T12:34:56Z",
    "0123456789 00 000 0000 1000000000000000000000",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!???...,,,;;;:::---___***///\\\\\\|||~~~^^^",
    "MiXeD cAsE aNd CamelCaseWords_and_snake_case kebab-case",
    "supercalifragilisticexpialidocious Donaudampfschifffahrtsgesellschaft",
    "A fox,a dog;no spaces:after.punctuation!At?all",
    "unknown ★★★ ☆ ♞ ᚠᛇᚻ ꙮ 𓀀 in a row, and ★ apart ★",
    "trailing unknown ★",
    "★ leading unknown",
    "日本語とEnglishとРусскийとالعربية混在",
    "x\u0301\u0302\u0303\u0304\u0305\u0306 many marks on one letter",
    "\u0301 mark without a base, \u200d joiner without a base",
    "e\u0301\u200d\u0301 é\u0301",
    "ö\ufe0f ⚠️ ⚠ 〰️ ㊗️",
    "fi\u200cle ﬁ\u0301le ﬃ\u0302",
    "㌀ ㌔ ㍉ ｶﾞ ﾊﾟ ﾞ ﾟ \u3099 square and half-width marks",
    "１２３４５ ℡ № ℠ ⒈ ⑴ ⒜ Ⓐ ㋿",
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a many\u205fspaces\u1680here\u180e.",
    "wave dash 〜 ～ tilde ~ ˜ ∼",
    "quotes ´acute` ʼmodifier ʹprime ′ ″ ‴ \u275b\u275c\u275d\u275e",
    "fraction slash 1⁄2, division ∕, ratio ∶, bullet • · ‧ ・ ･",
    "\U000e0041\U000e007f tag characters \ufe00 \U000e0100 selectors",
]

# Right text whose UTF-8 is read in a wrong encoding below.
VICTIMS = ["é", "schön", "naïve café", "l’été", "“quoted”", "it’s", "№ 5", "100 €", "→ left", "✔ done", "🦊", "狐狸", "лиса"]
VICTIMS += ["Čapek", "日本語テキスト", "ﬁ…", "El Niño", "Żółć", "ÜBER", "n\u00a0b", "½ cup", "ελληνικά", "© 2026 — all"]
ENCODINGS = ["cp1252", "latin-1", "cp437", "mac-roman", "cp1251", "cp1250"]


def misread():
    for victim, encoding in itertools.product(VICTIMS, ENCODINGS):
        raw = victim.encode("utf-8")
        try:
            yield raw.decode(encoding)
        except UnicodeDecodeError:
            yield raw.decode("latin-1") + f" ({encoding})"
    for victim in VICTIMS[:8]:
        yield victim.encode("utf-8").decode("latin-1").encode("utf-8").decode("latin-1")
        yield f"A fox, {victim.encode('utf-8').decode('latin-1')}, {victim} runs"


def ranges():
    """Blocks of characters that some fix looks at."""
    spans = [(0x00, 0x20), (0x7F, 0xA0), (0x2018, 0x2020), (0xFB00, 0xFB07), (0xFF01, 0xFF5F), (0xFF61, 0xFFA0)]
    spans += [(0x2000, 0x2010), (0x2028, 0x2030), (0x205F, 0x2070), (0xFFE0, 0xFFE7), (0x0132, 0x0134), (0x01C4, 0x01CD)]
    spans += [(0xFFF9, 0xFFFE), (0x0340, 0x0345), (0x0958, 0x0960), (0x1F71, 0x1F7E), (0xF900, 0xF910), (0x3000, 0x3004)]
    for first, last in spans:
        for start in range(first, last, 8):
            yield " ".join(f"x{chr(code)}y" for code in range(start, min(start + 8, last)))
    for first, last in ((0x00, 0x20), (0x7F, 0xA0)):
        for code in range(first, last, 4):
            yield "".join(f"a&#{value};" for value in range(code, code + 4))


def entities():
    names = sorted(html.entities.html5)
    for start in range(0, len(names), 97):
        yield " ".join(f"&{name}" for name in names[start : start + 3])


def marks():
    """Composition and canonical order: letters with marks in every order."""
    for letters in ("aeu", "оиі", "かはワ", "ᄀᄒ"):
        for order in (["\u0308", "\u0323"], ["\u0323", "\u0308"], ["\u0301", "\u0304"], ["\u3099"], ["\u1161", "\u11a8"]):
            yield " ".join(letter + "".join(order) for letter in letters)


def mixtures(count, seed=3):
    """Written lines glued together, so that one fix meets another."""
    draw = random.Random(seed)
    glue = [" ", "  ", "\n", "\t", " & ", "&amp;", " </s> ", ", ", "\u3000", ""]
    for _ in range(count):
        parts = [draw.choice(WRITTEN + corpus.LINES) for _ in range(draw.randrange(2, 4))]
        yield draw.choice(glue).join(parts)


def long_prompts():
    sentences = corpus.sentences(20, seed=99)
    yield " ".join(sentences)
    yield "一只红色的狐狸在雪地里慢慢行走。" * 31
    yield "★ " * 257
    yield "word " * 510 + "last two"


def prompts():
    yield from WRITTEN
    yield from corpus.LINES
    yield from long_prompts()
    yield from mixtures(40)


def dirty():
    yield from WRITTEN
    yield from misread()
    yield from ranges()
    yield from entities()
    yield from marks()
    yield from mixtures(60, seed=4)
