"""What is written in boxes: typed at the host, kept when a board labels again, imported from what OCR tools leave."""

import io
import json

import pytest
from PIL import Image

from fakes.host_folder import make_host, pair_client
from snaploop_host.cli.main import main
from snaploop_host.errors import BadInputError, CannotTrainError, HostError, NotFoundError
from snaploop_host.services.label_texts import LabelTexts
from snaploop_host.storage.text_folder import TextFolder
from snaploop_shared.sample_record import Box

SIZE = (320, 200)
BOXES = [Box("text", 200, 12, 60, 20), Box("text", 10, 10, 60, 20), Box("text", 20, 80, 60, 20)]


def picture(shade=100):
    data = io.BytesIO()
    Image.new("RGB", SIZE, (shade, 90, 80)).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture
def host(tmp_path):
    with_projects = make_host(tmp_path / "host")
    with_projects.store.add_project("signs", "ocr_recognize", ("text",), 1000.0)
    yield with_projects
    with_projects.close()


@pytest.fixture
def board(host):
    client = pair_client(host, board_id="b0a4d000", project="signs")
    client.send_sample("b1-000001", picture(), BOXES, size=SIZE)
    return client


def texts(host):
    (sample,) = host.store.samples(host.store.project_named("signs").id)
    return {box.x: box.text for box in sample.boxes}


def test_typed_texts_stay_when_the_board_labels_again(host, board):
    project = host.store.project_named("signs")
    LabelTexts(host.store).set(project, "b1-000001", ["left", "right", ""])
    assert texts(host) == {10: "left", 200: "right", 20: ""}
    moved = [Box("text", 14, 12, 60, 20), Box("text", 100, 100, 30, 30)]
    board.send_sample("b1-000001", picture(), moved, rev=2, size=SIZE)
    assert texts(host) == {14: "left", 100: ""}


@pytest.mark.parametrize(
    ("photo", "given", "kind", "said"),
    [
        ("nobody", ["a"], NotFoundError, "signs has no photo nobody with a box"),
        ("b1-000001", ["a"], BadInputError, "has 3 boxes, 1 texts were given"),
        ("b1-000001", ["a", "b", "c\nd"], BadInputError, "printable characters on one line"),
    ],
)
def test_texts_that_do_not_fit_are_refused(host, board, photo, given, kind, said):
    with pytest.raises(kind) as refused:
        LabelTexts(host.store).set(host.store.project_named("signs"), photo, given)
    assert said in str(refused.value)


def test_other_projects_have_no_texts(host):
    with pytest.raises(BadInputError, match="only ocr_detect and ocr_recognize have texts"):
        LabelTexts(host.store).listed(host.store.project_named("lights"))


def test_training_is_refused_without_texts(host, board, monkeypatch):
    monkeypatch.setattr("snaploop_host.services.train_model.MIN_PHOTOS", 1)
    project = host.store.project_named("signs")
    with pytest.raises(CannotTrainError, match="no box says what is written in it"):
        host.train.start(project.id)
    LabelTexts(host.store).set(project, "b1-000001", ["A1", "B2", ""])
    with pytest.raises(CannotTrainError, match="is not in the dictionary"):
        host.train.start(project.id, {"dictionary": "12A"})


def test_text_command(host, board, tmp_path, monkeypatch, capsys):
    host.close()
    where = ["--data", str(tmp_path / "host"), "--json"]
    monkeypatch.setattr("sys.argv", ["snaploop", "text", "signs", "b1-000001", "A 1", "", "C3", *where])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    rows = json.loads(capsys.readouterr().out)
    assert [(row["box"], row["xywh_px"][0], row["text"]) for row in rows] == [
        (1, 10, "A 1"),
        (2, 200, ""),
        (3, 20, "C3"),
    ]


def test_import_of_what_ppocrlabel_leaves(host, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture(1))
    marks = [
        {"transcription": "Größe 42", "points": [[10, 10], [90, 12], [90, 32], [10, 30]], "difficult": False},
        {"transcription": "###", "points": [[10, 60], [90, 60], [90, 80], [10, 80]], "difficult": True},
    ]
    lines = [f"shop/a.jpg\t{json.dumps(marks, ensure_ascii=False)}", "shop/gone.jpg\t[]"]
    (folder / "Label.txt").write_text("\n".join(lines), encoding="utf-8")
    report = host.importer.run("shop", TextFolder(folder))
    assert report.added == 1 and "names shop/gone.jpg, which is not there" in report.problems[0]
    project = host.store.project_named("shop")
    (sample,) = host.store.samples(project.id)
    assert project.task == "ocr_recognize" and [box.text for box in sample.boxes] == ["Größe 42", "###"]
    assert sample.boxes[0].points == ((10, 10), (90, 12), (90, 32), (10, 30))


def test_import_of_icdar_files(host, tmp_path):
    (tmp_path / "b.jpg").write_bytes(picture(2))
    (tmp_path / "gt_b.txt").write_text("\ufeff10,10,90,12,90,32,10,30,Genaxis, Theatre\n", encoding="utf-8")
    (tmp_path / "c.jpg").write_bytes(picture(3))
    (tmp_path / "c.txt").write_text("1,2,three\n")
    report = host.importer.run("icdar", TextFolder(tmp_path))
    assert report.added == 1 and "c.jpg: line 1 of its labels is not x1,y1,...,x4,y4,text" in report.problems[0]
    (sample,) = host.store.samples(host.store.project_named("icdar").id)
    assert sample.boxes[0].text == "Genaxis, Theatre"


def test_import_of_icdar_files_in_a_folder_of_their_own(host, tmp_path):
    for folder in ("images", "truth"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images" / "b.jpg").write_bytes(picture(2))
    (tmp_path / "truth" / "gt_b.txt").write_text("10,10,90,12,90,32,10,30,A 1\r\n")
    report = host.importer.run("icdar", TextFolder(tmp_path))
    assert (report.added, report.problems) == (1, [])


@pytest.mark.parametrize(
    ("lines", "text", "points"),
    [
        ("10,10,90,12,90,32,10,30,Latin,Caf\u0065\u0301, bar", "Café, bar", 4),  # MLT; letters composed
        ("10,10,90,12,90,32,10,30,None,\u00a0a\u3000b\u200b ", "a b", 4),
        ('10 10 90 32 "EXIT"', "EXIT", 4),  # ICDAR 2013
        ('10, 10, 90, 32, "say ""no"""', 'say ""no""', 4),
        ("10,10,90,12,90,32,10,30", "", 4),  # localisation only
    ],
)
def test_other_lines_of_icdar(host, tmp_path, lines, text, points):
    (tmp_path / "b.jpg").write_bytes(picture(2))
    (tmp_path / "gt_b.txt").write_text(lines, encoding="utf-8")
    assert host.importer.run("icdar", TextFolder(tmp_path)).problems == []
    (sample,) = host.store.samples(host.store.project_named("icdar").id)
    assert [(box.text, len(box.points)) for box in sample.boxes] == [(text, points)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("rec/a.jpg\tno. 12!\nrec/b.jpg\t银杏\n", ["no. 12!", "银杏"]),
        ('rec/a.jpg, "say \\"no\\""\r\nrec/b.jpg, "x, y"\r\n', ['say "no"', "x, y"]),
        ("rec/a.jpg EXIT now\nrec/b.jpg 7", ["EXIT now", "7"]),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_lists_of_lines_that_are_cut_out_already(host, tmp_path, lines, said, as_file):
    (tmp_path / "rec").mkdir()
    for number, name in enumerate("ab"):
        (tmp_path / "rec" / f"{name}.jpg").write_bytes(picture(90 * number))
    (tmp_path / "rec_gt.txt").write_text(lines, encoding="utf-8")
    (tmp_path / "dict.txt").write_text("1\n2\n")
    with (tmp_path / "rec_gt.txt").open("a") as file:
        file.write("\nrec/gone.jpg\tx")
    report = host.importer.run("words", TextFolder(tmp_path / "rec_gt.txt" if as_file else tmp_path))
    assert report.added == 2
    assert report.problems == ["gone.jpg is in the list and not there: put the picture back or remove the line"]
    samples = sorted(host.store.samples(host.store.project_named("words").id), key=lambda one: one.name)
    assert [one.name for one in samples] == ["rec-a.jpg", "rec-b.jpg"]
    assert [(box.text, box.w, box.h) for one in samples for box in one.boxes] == [(text, *SIZE) for text in said]


def test_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(HostError, match=r"holds neither Label.txt \(PPOCRLabel\), nor pictures"):
        TextFolder(tmp_path)
