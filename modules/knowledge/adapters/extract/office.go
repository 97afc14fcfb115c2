package extract

import (
	"encoding/xml"
	"path"
	"strconv"
	"strings"

	"github.com/parley/parley/modules/knowledge/domain"
)

// officeReader reads the paragraphs and tables of a part of a DOCX or PPTX document. Both name them alike.
type officeReader struct {
	out    *output
	styles map[string]int // levels of headings by style, of DOCX

	open    []*officeParagraph // a text box lies in a paragraph
	text    bool               // in an element whose text is shown
	run     int                // open runs
	hidden  bool               // the run is
	skipped int                // open elements within one that is left out, itself included
	shape   officeShape        // of PPTX
	tables  int                // open tables: one in another is text of its cell
	cells   []string
	rows    int  // of the table
	marked  bool // the table says that its first row is a header
	header  bool // the row says that it is a header
}

type officeParagraph struct {
	text    strings.Builder
	heading int  // level; 0: none
	list    bool // it is an item of a list
	level   int  // of the list, from 0 on
}

type officeShape struct {
	title, list, skip bool
}

func (r *officeReader) read(a *archive, part string) error {
	return a.elements(part, r.start, r.end, func(text string) {
		if r.text && r.skipped == 0 && !r.hidden && len(r.open) > 0 {
			r.open[len(r.open)-1].text.WriteString(text)
		}
	})
}

func (r *officeReader) start(e xml.StartElement) error {
	if r.skipped > 0 {
		r.skipped++
		return nil
	}
	switch e.Name.Local {
	case "Fallback", "moveFrom", "pPrChange", "rPrChange", "tblPrChange", "trPrChange": // twice, or what was before a change
		r.skipped = 1
	case "p":
		r.open = append(r.open, &officeParagraph{})
	case "r":
		r.run, r.hidden = r.run+1, false
	case "t":
		r.text = true
	case "sp":
		r.shape = officeShape{}
	case "ph":
		switch kind := attribute(e, "type"); kind {
		case "title", "ctrTitle":
			r.shape = officeShape{title: true}
		case "sldNum", "dt", "ftr", "hdr", "sldImg":
			r.shape = officeShape{skip: true}
		case "", "body", "obj":
			r.shape = officeShape{list: true}
		}
	case "tbl":
		if r.tables++; r.tables == 1 {
			r.rows, r.marked, r.header = 0, false, false
			r.out.beginTable()
		}
	case "tblLook", "tblPr":
		look, err := strconv.ParseUint(attribute(e, "val"), 16, 32)
		r.marked = r.marked || isOn(attribute(e, "firstRow")) || err == nil && look&0x20 != 0
	case "tblHeader":
		r.header = r.tables == 1
	case "tc":
		if r.tables == 1 {
			r.cells = append(r.cells, "")
		}
	default:
		if len(r.open) > 0 {
			r.inParagraph(r.open[len(r.open)-1], e)
		}
	}
	return nil
}

func (r *officeReader) inParagraph(p *officeParagraph, e xml.StartElement) {
	value, number := attribute(e, "val"), 0
	if n, err := strconv.Atoi(value); err == nil {
		number = n
	}
	switch e.Name.Local {
	case "tab", "ptab":
		if r.run > 0 {
			p.text.WriteByte('\t')
		}
	case "br", "cr":
		p.text.WriteByte('\n')
	case "noBreakHyphen":
		p.text.WriteRune('\u2011')
	case "vanish":
		r.hidden = r.run > 0 && (value == "" || isOn(value))
	case "pStyle":
		p.heading = r.styles[value]
	case "outlineLvl":
		if number >= 0 && number < 9 {
			p.heading = number + 1
		}
	case "numPr":
		p.list = true
	case "ilvl":
		p.level = min(max(number, 0), 8)
	case "pPr": // of PPTX
		if level, err := strconv.Atoi(attribute(e, "lvl")); err == nil {
			p.level = min(max(level, 0), 8)
		}
	}
}

func (r *officeReader) end(name string) error {
	if r.skipped > 0 {
		r.skipped--
		return nil
	}
	switch name {
	case "t":
		r.text = false
	case "r":
		r.run, r.hidden = max(r.run-1, 0), false
	case "p":
		return r.endParagraph()
	case "sp":
		r.shape = officeShape{}
	case "tr":
		if r.tables == 1 {
			return r.endRow()
		}
	case "tbl":
		r.tables = max(r.tables-1, 0)
	}
	return nil
}

func (r *officeReader) endParagraph() error {
	if len(r.open) == 0 {
		return nil
	}
	p := r.open[len(r.open)-1]
	text := p.text.String()
	r.open = r.open[:len(r.open)-1]
	switch {
	case r.shape.skip:
		return nil
	case r.tables > 0 && len(r.cells) > 0:
		r.cells[len(r.cells)-1] += " " + text
		return r.out.ctx.Err()
	case r.shape.title:
		return r.out.add(domain.Heading, 1, oneLine(text))
	case p.heading > 0:
		return r.out.add(domain.Heading, p.heading, oneLine(text))
	case p.list || r.shape.list:
		if strings.TrimSpace(text) != "" {
			text = "- " + text
		}
		return r.out.add(domain.List, p.level+1, text)
	}
	return r.out.add(domain.Paragraph, 0, text)
}

func (r *officeReader) endRow() error {
	r.rows++
	isHeader := r.rows == 1 && (r.marked || r.header)
	err := r.out.row(r.cells, isHeader)
	r.cells, r.header = r.cells[:0], false
	return err
}

func isOn(value string) bool { return value == "1" || value == "true" || value == "on" }

// readDOCX reads a document of Word, then its notes.
func readDOCX(a *archive, main string) error {
	if err := a.titleOf("docProps/core.xml"); err != nil {
		return err
	}
	folder := path.Dir(main)
	styles, err := headingStyles(a, path.Join(folder, "styles.xml"))
	if err != nil {
		return err
	}
	for _, part := range []string{main, path.Join(folder, "footnotes.xml"), path.Join(folder, "endnotes.xml")} {
		if part != main && !a.has(part) {
			continue
		}
		r := officeReader{out: a.out, styles: styles}
		if err := r.read(a, part); err != nil {
			return err
		}
	}
	return nil
}

// headingStyles returns the levels of the styles that are of headings, or based on one.
func headingStyles(a *archive, part string) (map[string]int, error) {
	levels, base, style := map[string]int{}, map[string]string{}, ""
	if !a.has(part) {
		return levels, nil
	}
	err := a.elements(part, func(e xml.StartElement) error {
		value := attribute(e, "val")
		switch e.Name.Local {
		case "style":
			style = attribute(e, "styleId")
		case "basedOn":
			base[style] = value
		case "name":
			name := strings.ToLower(value)
			if n, err := strconv.Atoi(strings.TrimPrefix(name, "heading ")); err == nil && n >= 1 && n <= 9 {
				levels[style] = n
			} else if name == "title" {
				levels[style] = 1
			}
		case "outlineLvl":
			if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < 9 {
				levels[style] = n + 1
			}
		}
		return nil
	}, nil, nil)
	for style := range base {
		for at, steps := style, 0; steps < 10; steps++ { // styles may be based on each other in a circle
			if level := levels[at]; level > 0 {
				levels[style] = level
				break
			}
			at = base[at]
		}
	}
	return levels, err
}

// readPPTX reads the slides of a presentation in their order. A slide is a page.
func readPPTX(a *archive, main string) error {
	if err := a.titleOf("docProps/core.xml"); err != nil {
		return err
	}
	folder := path.Dir(main)
	relations, err := a.relations(path.Join(folder, "_rels", path.Base(main)+".rels"), folder)
	if err != nil {
		return err
	}
	parts := map[string]string{}
	for _, r := range relations {
		if strings.HasSuffix(r.kind, "/slide") {
			parts[r.id] = r.target
		}
	}
	var slides []string
	if err := a.elements(main, func(e xml.StartElement) error {
		if e.Name.Local == "sldId" {
			for _, at := range e.Attr {
				if part, ok := parts[at.Value]; ok && at.Name.Local == "id" && a.has(part) {
					slides = append(slides, part)
				}
			}
		}
		return nil
	}, nil, nil); err != nil {
		return err
	}
	for _, slide := range slides {
		if err := a.out.nextPage(); err != nil {
			return err
		}
		r := officeReader{out: a.out}
		if err := r.read(a, slide); err != nil {
			return err
		}
	}
	return nil
}
