"""The text that the tests' tokenizer is trained on: written for Reel, no outside source."""

import random

SUBJECTS = """a red fox|two old fishermen|a small wooden boat|the astronaut|a ballet dancer|an orange tabby cat|a herd of elephants
a steam locomotive|the lighthouse keeper|a glass teapot|three laughing children|a paper lantern|a grey wolf|the clockmaker
a flock of starlings|an electric car|a street musician|a knight in silver armour|a hummingbird|the chef|a golden retriever puppy
a robot with rusty arms|a jellyfish|an origami crane|the potter|a snow leopard|a hot air balloon|a violinist|a sea turtle
a young woman in a yellow raincoat|a bearded man with round glasses|a marching band|a dragon made of clouds|a tiny mouse""".replace("\n", "|").split("|")
VERBS = """walks slowly through|runs across|floats above|drifts past|looks out over|dances in|sails into|climbs up
waits beside|flies over|rolls down|swims under|turns towards|disappears behind|glides along|stumbles into|paints
photographs|watches|rebuilds|explores|crosses|circles|lands on|jumps over""".replace("\n", "|").split("|")
PLACES = """a flooded street at night|the snowy mountain pass|a field of sunflowers|an abandoned railway station
a crowded night market in the rain|the surface of the moon|a quiet library|the Scottish highlands|a coral reef
a neon-lit alley|the edge of a waterfall|an endless desert|a frozen lake|the old harbour|a bamboo forest
a kitchen full of steam|the roof of a skyscraper|a foggy meadow at dawn|the ruins of a castle|a river of molten glass""".replace("\n", "|").split("|")
STYLES = """cinematic lighting|shallow depth of field|shot on 35mm film|slow motion|macro lens|time-lapse|wide angle
watercolour style|highly detailed|soft shadows|golden hour|volumetric fog|handheld camera|tracking shot|aerial view
anime style|photorealistic|4K|60 fps|dramatic contrast|pastel colours|low angle|bokeh|film grain|stop motion
black and white|the camera pans left|the camera zooms in|close-up|establishing shot|motion blur""".replace("\n", "|").split("|")

ADJECTIVES = """ancient brilliant careful curious delicate distant dreamy dusty eager elegant enormous faded fearless fragile gentle gigantic
gloomy graceful handmade hidden hollow humble icy immense invisible jagged joyful lonely luminous magnificent massive mechanical mighty
mysterious narrow nervous ornate patient peaceful playful polished powerful precious quiet radiant restless rugged sandy shimmering
silent sleepy slender smooth sparkling spiral spotted stormy strange sturdy sunlit tangled tender translucent twisted uneven vast
velvet vibrant wandering weathered whispering wild windy wooden woven youthful underwater futuristic medieval tropical industrial""".split()
NOUNS = """acrobat alchemist anchor archer avalanche balcony bakery bicycle blacksmith blossom botanist bridge butterfly canyon caravan
carousel cathedral caterpillar chandelier chimney comet compass courtyard crystal curtain daffodil dolphin doorway drummer eagle
earthquake engine explorer falcon feather ferry firework fountain galaxy gardener glacier gondola gramophone greenhouse guitar
hedgehog helicopter horizon hurricane iceberg island juggler kangaroo kettle kingdom labyrinth ladder landscape laboratory lizard
machine magician marble marketplace meteor microscope monastery monument moonlight mushroom musician nightingale observatory octopus
orchestra ostrich parade parrot peacock penguin pianist pirate planet portrait pumpkin pyramid rainbow reflection restaurant
sailor salamander sandstorm satellite scientist sculpture shadow shepherd skeleton snowflake spaceship squirrel staircase
submarine sunrise swordsman telescope thunderstorm tortoise tractor treasure tunnel typewriter umbrella unicorn vegetable village
volcano waterfall weaver whale windmill workshop""".split()

LINES = """
The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.
It's 7:45 on a Tuesday; 1,024 candles burn, 65% of them blue (the rest: white).
Negative prompt: blurry, low quality, overexposed, static, subtitles, worst quality, JPEG artefacts, ugly, deformed hands, extra fingers.
"Where are we going?" she asked. "Home," he said, "if the bridge still stands."
He'll say they've seen what we'd hoped for; you're sure that I'm late, aren't you?
Email me at someone@example.org or look at https://example.org/video?id=42&frames=81#top.
width=832 height=480 num_frames=81 guidance_scale=5.0 seed=1234567890 {"fps": 16, "shift": 3.0}
Café, naïve, façade, jalapeño, über, Ångström, Čapek, Łódź, Dvořák, São Paulo, smörgåsbord, œuvre, Æsir.
Un renard roux traverse lentement la forêt enneigée, la lumière du matin est très douce.
Une vieille dame nourrit des pigeons près de la fontaine, à côté d'un café fermé.
Ein kleiner Junge läuft über die Brücke, während der Nebel über dem Fluss aufsteigt; schöne Grüße aus Köln.
Un niño pequeño corre por la playa al atardecer, ¿quién lo espera? ¡Mañana será otro día!
Um barco à vela navega pelo oceano; a canção do coração não acaba.
Una vecchia città sul mare, luci calde, perché è già sera.
Рыжая лиса медленно идёт по заснеженному лесу, мягкий утренний свет.
Старый рыбак смотрит на море, волны бьются о скалы, чайки кричат.
Девушка в жёлтом плаще танцует под дождём на ночной улице большого города.
Поезд едет через горы, снег падает, камера медленно движется вперёд.
一只红色的狐狸在雪地里慢慢行走，清晨的阳光洒在树林中。
一个穿着黄色雨衣的女孩在夜晚的街道上跳舞，霓虹灯闪烁，电影感。
老渔夫坐在木船上看着大海，海浪拍打着岩石，镜头缓缓推进。
色调艳丽，过曝，静态，细节模糊不清，字幕，风格，画面，静止，整体发灰，低质量。
一辆红色的汽车在城市的雨中行驶，水面上有灯光的倒影。
赤い狐が雪の森をゆっくり歩いています。朝の光がとてもきれいです。
黄色いレインコートを着た女の子が夜の街で踊っている。カメラがゆっくり近づく。
古い灯台のそばで、漁師が海を見ています。ネオンの光、映画のような映像。
빨간 여우가 눈 덮인 숲을 천천히 걷는다. 아침 햇살이 부드럽다.
ثعلب أحمر يمشي ببطء في الغابة المغطاة بالثلج.
שועל אדום הולך לאט ביער המושלג.
Μια κόκκινη αλεπού περπατά αργά στο χιονισμένο δάσος.
Kırmızı bir tilki karlı ormanda yavaşça yürüyor, ışık çok güzel, şehir uzakta.
एक लाल लोमड़ी बर्फीले जंगल में धीरे-धीरे चल रही है।
Numbers: 0 1 2 3 4 5 6 7 8 9 10 12 16 24 30 48 50 60 64 81 100 121 128 256 480 512 720 1080 1280 2024 4096 10000.
Symbols: + - * / = < > ( ) [ ] { } | \\ ^ ~ ` ' " , . ; : ! ? @ # $ % & _ ° € £ ¥ © ™ § … – — • → ×
for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }  // a line of code
def render(scene, frames=81): return [scene.draw(t / 16.0) for t in range(frames)]
""".strip().split("\n")


def sentences(count=3000, seed=7):
    draw = random.Random(seed)
    made = []
    for index in range(count):
        text = f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(PLACES)}"
        styles = draw.sample(STYLES, draw.randrange(0, 4))
        text = ", ".join([text] + styles)
        if draw.random() < 0.7:
            text = text[0].upper() + text[1:] + "."
        made.append(text)
        pair = [f"{draw.choice(ADJECTIVES)} {draw.choice(NOUNS)}" for _ in range(2)]
        made.append(f"The {pair[0]} {draw.choice(VERBS)} {draw.choice(['an old', 'the', 'a very', 'one more'])} {pair[1]}.")
        if index % 3 == 0:
            made.append(LINES[(index // 3) % len(LINES)])
    return made
