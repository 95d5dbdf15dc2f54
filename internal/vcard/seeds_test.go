package vcard

// nastySeeds feed the fuzz targets.
var nastySeeds = []string{
	small,
	"",
	"\xef\xbb\xbf" + small,
	"BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCl=\nler;J=F6rg\nTEL;HOME;FAX:1\nEND:VCARD\n",
	"BEGIN:VCARD\rVERSION:3.0\rFN:x\rEND:VCARD\r",
	"BEGIN:VCARD\r\r\nVERSION:3.0\r\r\nN:a;b\r\r\nEND:VCARD\r\r\n",
	"BEGIN:VCARD\nVERSION:2.1\nFN:a\nPHOTO;JPEG;BASE64:\n  AAAA\n BBBB\n\nAGENT:\nBEGIN:VCARD\nVERSION:2.1\nFN:b\nEND:VCARD\nEND:VCARD",
	"BEGIN:VCARD\nVERSION:4.0\nUID:urn:uuid:1\nFN:a\nTEL;VALUE=uri;PREF=1;TYPE=\"work,voice\":tel:+1-2;ext=3\nBDAY:--0203\nANNIVERSARY:20090808\n" +
		"PHOTO:data:image/jpeg;base64,AAAA\nADR;LABEL=\"a^nb\":;;c;;;;\nGEO:geo:1,2\nKIND:group\nMEMBER:urn:uuid:2\nRELATED;TYPE=spouse;VALUE=text:b\nGENDER:M\nEND:VCARD\n",
	"BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:a\nPHOTO;ENCODING=b;TYPE=JPEG:AAAA\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-02-03\nLABEL;TYPE=home:x\\ny\nADR;TYPE=home:;;c;;;;\n" +
		"item1.X-ABDATE:2009-08-08\nitem1.X-ABLabel:_$!<Anniversary>!$_\nGEO:1;2\nEMAIL;TYPE=pref:a@example.org\nSORT-STRING:a\nEND:VCARD\n",
	"A;B=\"c\n", "A;B=c\"d:e\n", ";", ":", ".", "\\", "A;=:", " \n", "\r\r\r", "A:\x00", "BEGIN:VCARD", "END:VCARD", "AGENT:BEGIN:VCARD",
	"BEGIN:VCARD\nVERSION:3.0\nNOTE:a\nb without colon\nNOTE;ENCODING=QUOTED-PRINTABLE:=\n=\n=3D=\nEND:VCARD\n",
}
