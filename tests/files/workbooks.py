"""Workbooks as Excel and LibreOffice write them, made from rows of cells."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from xml.sax.saxutils import escape

SHEET = "<table:table table:name='{}'>{}</table:table>"


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def ods(**sheets: Sequence[Sequence[object]]) -> bytes:
    """Return a workbook with the cells as LibreOffice writes them."""

    def cell(value: object) -> str:
        kind = "string"
        if isinstance(value, (int, float)):
            kind = f"float' office:value='{value}"
        elif isinstance(value, date):
            kind = f"date' office:date-value='{value}"
        # Each line of a text is a paragraph.
        paragraphs = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(value).split("\n"))
        return f"<table:table-cell office:value-type='{kind}'>{paragraphs}</table:table-cell>"

    def row(values: Sequence[object]) -> str:
        return f"<table:table-row>{''.join(map(cell, values))}</table:table-row>"

    tables = "".join(SHEET.format(name, "".join(map(row, content))) for name, content in sheets.items())
    space = "urn:oasis:names:tc:opendocument:xmlns"
    body = (
        f"<office:document-content xmlns:office='{space}:office:1.0' xmlns:table='{space}:table:1.0' "
        f"xmlns:text='{space}:text:1.0'><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    manifest = "<manifest:manifest xmlns:manifest='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'/>"
    return zipped(
        **{
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": manifest.encode(),
            "content.xml": body.encode(),
        }
    )


def xlsx(**sheets: Sequence[Sequence[object]]) -> bytes:
    """Return a workbook with the parts that Excel writes, its texts in the shared strings."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    document = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    texts: list[str] = []

    def cell(value: object, place: str) -> str:
        if isinstance(value, bool):
            return f'<c r="{place}" t="b"><v>{value:d}</v></c>'
        if isinstance(value, date):
            return f'<c r="{place}" s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
        if isinstance(value, (int, float)):
            return f'<c r="{place}"><v>{value}</v></c>'
        texts.append(str(value))
        return f'<c r="{place}" t="s"><v>{len(texts) - 1}</v></c>' if value else ""

    def sheet(rows: Sequence[Sequence[object]]) -> bytes:
        filled = "".join(
            f'<row r="{number}">{"".join(cell(value, f"{chr(65 + n)}{number}") for n, value in enumerate(row))}</row>'
            for number, row in enumerate(rows, 1)
        )
        return f'<worksheet xmlns="{main}"><sheetData>{filled}</sheetData></worksheet>'.encode()

    parts = {f"xl/worksheets/sheet{number}.xml": sheet(rows) for number, rows in enumerate(sheets.values(), 1)}
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    linked = "".join(
        f'<Relationship Id="rId{n}" Type="{document}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    linked += f'<Relationship Id="s" Type="{document}/sharedStrings" Target="sharedStrings.xml"/>'
    linked += f'<Relationship Id="t" Type="{document}/styles" Target="styles.xml"/>'
    shared = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in texts)
    root = f'<Relationship Id="r" Type="{document}/officeDocument" Target="xl/workbook.xml"/>'
    dates = '<xf numFmtId="14"/>'  # the format of the cells with s="1"
    kinds = '<Default Extension="xml" ContentType="application/xml"/>'
    return zipped(
        **{
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types">{kinds}</Types>'.encode(),
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships">{root}</Relationships>'.encode(),
            "xl/_rels/workbook.xml.rels": (
                f'<Relationships xmlns="{package}/relationships">{linked}</Relationships>'.encode()
            ),
            "xl/workbook.xml": (
                f'<workbook xmlns="{main}" xmlns:r="{document}"><sheets>{listed}</sheets></workbook>'.encode()
            ),
            "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf/>{dates}</cellXfs></styleSheet>'.encode(),
            "xl/sharedStrings.xml": f'<sst xmlns="{main}">{shared}</sst>'.encode(),
            **parts,
        }
    )
